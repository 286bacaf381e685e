# broker/group: see README.md
noinst_LIBRARIES += %D%/libgroup.a
%C%_libgroup_a_SOURCES = \
    %D%/effects.c \
    %D%/group.c %D%/group.h %D%/group_priv.h \
    %D%/groups.c %D%/groups.h \
    %D%/image.c \
    %D%/join.c \
    %D%/member.c \
    %D%/offsets.c \
    %D%/rebalance.c \
    %D%/session.c \
    %D%/subscription.c
EXTRA_DIST += %D%/README.md
