noinst_LIBRARIES += %D%/libpartition.a
%C%_libpartition_a_SOURCES = \
    %D%/append.c %D%/append.h \
    %D%/producer.c %D%/producer.h \
    %D%/topic.c %D%/topic.h \
    %D%/topic_config.c %D%/topic_config.h %D%/topic_config.tbl
EXTRA_DIST += %D%/README.md
