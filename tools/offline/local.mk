# tools/offline: a data folder without a server: check, dump, salvage
noinst_LIBRARIES += %D%/liboffline.a
%C%_liboffline_a_SOURCES = \
    %D%/batchfile.c %D%/batchfile.h \
    %D%/check.c %D%/check.h %D%/check_priv.h \
    %D%/check_journal.c %D%/check_logs.c %D%/check_meta.c \
    %D%/dump.c %D%/dump.h %D%/dump_folder.c %D%/dump_priv.h \
    %D%/findings.c %D%/findings.h \
    %D%/folder.c %D%/folder.h \
    %D%/lmdbfile.c %D%/lmdbfile.h \
    %D%/salvage.c %D%/salvage.h %D%/salvage_priv.h \
    %D%/salvage_base.c %D%/salvage_frames.c %D%/salvage_log.c \
    %D%/salvage_logs.c \
    %D%/stored.c %D%/stored.h \
    %D%/survey.c %D%/survey.h
dist_man_MANS += tools/man/penstock-check.1 tools/man/penstock-dump.1 \
    tools/man/penstock-salvage.1
EXTRA_DIST += %D%/README.md
