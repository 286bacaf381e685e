# streams/store
