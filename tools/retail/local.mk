# tools/retail: see README.md
noinst_LIBRARIES += %D%/libretail.a
%C%_libretail_a_SOURCES = \
    %D%/audit.c %D%/audit.h \
    %D%/audit_compare.c \
    %D%/books.c %D%/books.h \
    %D%/feed.c %D%/feed.h \
    %D%/front.c %D%/front.h \
    %D%/gunzip.c %D%/gunzip.h \
    %D%/load.c \
    %D%/own.c \
    %D%/play.c %D%/play.h \
    %D%/race.c \
    %D%/replay.c %D%/replay.h \
    %D%/retail.c %D%/retail.h \
    %D%/sales.c %D%/sales.h \
    %D%/verify.c
dist_man_MANS += tools/man/penstock-demo.1
RETAIL_LIBS = %D%/libretail.a
EXTRA_DIST += %D%/README.md tools/demo tools/packages tools/packages.sh
