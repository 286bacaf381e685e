noinst_LIBRARIES += %D%/libtopology.a
%C%_libtopology_a_SOURCES = %D%/build.c %D%/check.c %D%/print.c %D%/state.c \
    %D%/topology.h %D%/topology_priv.h
EXTRA_DIST += %D%/README.md

# The public interface is installed as <penstock/...>.
EXTRA_DIST += streams/penstock/README.md
pkginclude_HEADERS = streams/penstock/streams.h streams/penstock/driver.h
