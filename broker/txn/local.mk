# broker/txn: see README.md
noinst_LIBRARIES += %D%/libtxn.a
%C%_libtxn_a_SOURCES = \
    %D%/held.c \
    %D%/step.c \
    %D%/txn_priv.h \
    %D%/txns.c %D%/txns.h
EXTRA_DIST += %D%/README.md
