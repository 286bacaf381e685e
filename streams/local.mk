include streams/serde/local.mk
include streams/store/local.mk
include streams/topology/local.mk
include streams/port/local.mk
include streams/task/local.mk
include streams/services/local.mk
