# broker/wire: see README.md
noinst_LIBRARIES += %D%/libwire.a
%C%_libwire_a_SOURCES = \
    %D%/apis.tbl \
    %D%/decode.c \
    %D%/dump.c \
    %D%/encode.c \
    %D%/field.c %D%/field.h \
    %D%/msg.c \
    %D%/msg/cluster.h \
    %D%/msg/configs.h \
    %D%/msg/consumer.h %D%/msg/consumer_groups.h \
    %D%/msg/fetch.h \
    %D%/msg/groups.h \
    %D%/msg/metadata.h \
    %D%/msg/offsets.h \
    %D%/msg/produce.h \
    %D%/msg/quotas.h \
    %D%/msg/streams_groups.h \
    %D%/msg/topics.h \
    %D%/msg/txn.h \
    %D%/out.c \
    %D%/wire.h %D%/wire_priv.h
EXTRA_DIST += %D%/README.md
