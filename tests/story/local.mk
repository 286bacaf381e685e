# tests/story: what a person does with the program, from outside
dist_check_SCRIPTS += %D%/serve.t
TESTS += %D%/serve.t
dist_check_SCRIPTS += %D%/demo.t
TESTS += %D%/demo.t
EXTRA_DIST += %D%/lib.sh
