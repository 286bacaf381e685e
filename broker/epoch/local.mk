noinst_LIBRARIES += %D%/libepoch.a
%C%_libepoch_a_SOURCES = \
    %D%/checkpoint.c \
    %D%/effect.h \
    %D%/datadir.c %D%/datadir.h \
    %D%/frame.c %D%/frame.h \
    %D%/growth.c \
    %D%/harden.c \
    %D%/journal.c %D%/journal.h %D%/journal_priv.h %D%/journal_read.c \
    %D%/keeper.c \
    %D%/leaders.c %D%/leaders.h \
    %D%/logrec.c %D%/logrec.h \
    %D%/meta.c %D%/meta.h \
    %D%/metafile.c %D%/metafile.h \
    %D%/overlay.c %D%/overlay.h \
    %D%/recover.c \
    %D%/seq.c %D%/seq.h %D%/seq_priv.h \
    %D%/snapper.c \
    %D%/snapshot.c %D%/snapshot.h \
    %D%/state.c %D%/state.h \
    %D%/tail.c %D%/tail.h
EXTRA_DIST += %D%/README.md
