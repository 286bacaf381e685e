noinst_LIBRARIES += %D%/libport.a
%C%_libport_a_SOURCES = %D%/port.h %D%/memory.c %D%/memory.h
EXTRA_DIST += %D%/README.md
