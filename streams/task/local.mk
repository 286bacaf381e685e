# streams/task
