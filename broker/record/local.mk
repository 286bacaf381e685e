# broker/record: see README.md
noinst_LIBRARIES += %D%/librecord.a
%C%_librecord_a_SOURCES = \
    %D%/batch.c %D%/batch.h \
    %D%/build.c \
    %D%/compress.c %D%/compress.h \
    %D%/control.c %D%/control.h \
    %D%/kerr.c %D%/kerr.h %D%/kerr.tbl \
    %D%/record_priv.h \
    %D%/snap.c %D%/snap.h
EXTRA_DIST += %D%/README.md
