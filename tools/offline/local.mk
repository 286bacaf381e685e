# tools/offline: a data folder without a server: check, dump, salvage
noinst_LIBRARIES += %D%/liboffline.a
%C%_liboffline_a_SOURCES = \
    %D%/check.c %D%/check.h %D%/check_priv.h \
    %D%/check_journal.c %D%/check_logs.c %D%/check_meta.c \
    %D%/findings.c %D%/findings.h \
    %D%/folder.c %D%/folder.h \
    %D%/lmdbfile.c %D%/lmdbfile.h \
    %D%/stored.c %D%/stored.h \
    %D%/survey.c %D%/survey.h
EXTRA_DIST += %D%/README.md
