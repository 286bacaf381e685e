noinst_LIBRARIES += %D%/libtopology.a
%C%_libtopology_a_SOURCES = %D%/build.c %D%/check.c %D%/print.c \
    %D%/topology.h
EXTRA_DIST += %D%/README.md
