# broker/plog: see README.md
noinst_LIBRARIES += %D%/libplog.a
%C%_libplog_a_SOURCES = \
    %D%/clean.c %D%/clean.h \
    %D%/folder.c \
    %D%/keymap.c %D%/keymap.h \
    %D%/offidx.c %D%/offidx.h \
    %D%/plog.c %D%/plog.h %D%/plog_priv.h \
    %D%/plog_read.c %D%/plog_trim.c %D%/plog_verify.c \
    %D%/segcache.c %D%/segcache.h \
    %D%/segment.c %D%/segment.h \
    %D%/sieve.c %D%/sieve.h \
    %D%/walk.c %D%/walk.h
EXTRA_DIST += %D%/README.md
