noinst_LIBRARIES += %D%/libapi.a
%C%_libapi_a_SOURCES = \
    %D%/admin.c \
    %D%/alter.c \
    %D%/api.h %D%/api_priv.h \
    %D%/broker_config.tbl %D%/group_config.tbl \
    %D%/cluster.c \
    %D%/configs.c \
    %D%/consumer_groups.c \
    %D%/consumer_records.c \
    %D%/dispatch.c \
    %D%/fetch.c \
    %D%/group_records.c %D%/group_records.h \
    %D%/groups.c \
    %D%/lists.c \
    %D%/log_dirs.c \
    %D%/metadata.c \
    %D%/offsets.c \
    %D%/produce.c \
    %D%/producer.c \
    %D%/txn.c %D%/txn.h \
    %D%/txn_admin.c \
    %D%/txn_link.c \
    %D%/txn_records.c %D%/txn_records.h \
    %D%/quota.c %D%/quota.h \
    %D%/quotas.c \
    %D%/resource.c %D%/resource.h \
    %D%/streams_groups.c
EXTRA_DIST += %D%/README.md
