# streams/serde: see README.md
noinst_LIBRARIES += %D%/libserde.a
%C%_libserde_a_SOURCES = %D%/serde.c %D%/pb.c %D%/pb.h \
    %D%/pb_priv.h %D%/pb_decode.c %D%/pb_encode.c \
    %D%/proto_json.h %D%/proto_json_read.c %D%/proto_json_write.c \
    %D%/json_text.c %D%/json_text.h %D%/lazy.h
EXTRA_DIST += %D%/README.md
