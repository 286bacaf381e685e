# streams/services: see README.md
noinst_LIBRARIES += %D%/libservices.a
%C%_libservices_a_SOURCES = %D%/services.h %D%/shop.h %D%/order.c \
    %D%/admit.c %D%/inventory.c %D%/movement.c %D%/shortage.c \
    %D%/stock.c %D%/stock.h %D%/keep.c %D%/keep.h
EXTRA_DIST += %D%/README.md
