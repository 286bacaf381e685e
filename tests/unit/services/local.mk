# tests/unit/services
if HAVE_CMOCKA
SHOP_TESTS = %D%/stock %D%/order
SHOP_DRIVER_TESTS = %D%/inventory %D%/keep %D%/power %D%/random_shop
check_PROGRAMS += $(SHOP_TESTS) $(SHOP_DRIVER_TESTS)
TESTS += $(SHOP_TESTS) $(SHOP_DRIVER_TESTS)
SHOP_TEST_LIBS = streams/services/libservices.a proto/libproto.a \
    broker/base/libbase.a $(CMOCKA_LIBS) $(PROTOBUF_C_LIBS)
SHOP_DRIVER_LIBS = streams/services/libservices.a streams/task/libdriver.a \
    streams/task/libtask.a streams/topology/libtopology.a \
    streams/port/libport.a streams/serde/libserde.a proto/libproto.a \
    broker/record/librecord.a broker/base/libbase.a $(CMOCKA_LIBS) \
    $(PROTOBUF_C_LIBS) $(JANSSON_LIBS) $(XXHASH_LIBS) -lm
SHOP_TEST_COMMON = %D%/shop_help.c %D%/shop_help.h

%C%_stock_SOURCES = %D%/stock.c
%C%_stock_LDADD = $(SHOP_TEST_LIBS)
%C%_order_SOURCES = %D%/order.c
%C%_order_LDADD = $(SHOP_TEST_LIBS)
%C%_inventory_SOURCES = %D%/inventory.c $(SHOP_TEST_COMMON)
%C%_inventory_LDADD = $(SHOP_DRIVER_LIBS)
%C%_keep_SOURCES = %D%/keep.c $(SHOP_TEST_COMMON)
%C%_keep_LDADD = $(SHOP_DRIVER_LIBS)
%C%_power_SOURCES = %D%/power.c $(SHOP_TEST_COMMON)
%C%_power_LDADD = $(SHOP_DRIVER_LIBS)
%C%_random_shop_SOURCES = %D%/random_shop.c $(SHOP_TEST_COMMON)
%C%_random_shop_LDADD = $(SHOP_DRIVER_LIBS)
endif
