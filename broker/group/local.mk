# broker/group: see README.md
noinst_LIBRARIES += %D%/libgroup.a
%C%_libgroup_a_SOURCES = \
    %D%/assignor.c %D%/assignor.h \
    %D%/blob.c %D%/blob.h \
    %D%/consumer.c %D%/consumer.h %D%/consumer_priv.h \
    %D%/consumer_classic.c \
    %D%/consumer_image.c \
    %D%/consumer_member.c \
    %D%/consumer_topics.c \
    %D%/effects.c \
    %D%/group.c %D%/group.h %D%/group_priv.h \
    %D%/groups.c %D%/groups.h \
    %D%/image.c \
    %D%/join.c \
    %D%/member.c \
    %D%/migrate.c \
    %D%/offsets.c \
    %D%/parts.c %D%/parts.h \
    %D%/pattern.c %D%/pattern.h %D%/pattern_priv.h \
    %D%/pattern_read.c \
    %D%/rebalance.c \
    %D%/reconcile.c \
    %D%/session.c \
    %D%/streams.c %D%/streams.h %D%/streams_priv.h \
    %D%/streams_assign.c \
    %D%/streams_plan.c \
    %D%/streams_topology.c \
    %D%/subscription.c
EXTRA_DIST += %D%/README.md
