noinst_LIBRARIES += %D%/libport.a
%C%_libport_a_SOURCES = %D%/port.h %D%/memory.c %D%/memory.h \
    %D%/local.c %D%/local.h %D%/local_poll.c %D%/local_priv.h \
    %D%/local_task.c \
    %D%/memory_priv.h %D%/memory_view.c
EXTRA_DIST += %D%/README.md
