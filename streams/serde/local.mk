# streams/serde: see README.md
noinst_LIBRARIES += %D%/libserde.a
%C%_libserde_a_SOURCES = %D%/serde.c %D%/pb.c %D%/pb.h \
    %D%/proto_json.h %D%/proto_json_read.c %D%/proto_json_write.c \
    %D%/json_text.c %D%/json_text.h
EXTRA_DIST += %D%/README.md
