noinst_LIBRARIES += %D%/libtask.a
%C%_libtask_a_SOURCES = %D%/ctx.c %D%/engine.c %D%/engine.h %D%/fold.c \
    %D%/gate.c %D%/ops.c %D%/scratch.c %D%/sink.c %D%/state.c %D%/task.c \
    %D%/task_priv.h %D%/timers.c %D%/unit.c %D%/value.c
EXTRA_DIST += %D%/README.md

noinst_LIBRARIES += %D%/libdriver.a
%C%_libdriver_a_SOURCES = %D%/driver.c %D%/driver_json.c %D%/driver_priv.h \
    %D%/driver_read.c %D%/sweep.c
