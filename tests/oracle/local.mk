# The oracles for the shop: see README.md here. The check values of the retail
# data run only when PENSTOCK_RETAIL names the file.
TESTS += %D%/oracle.t
dist_check_SCRIPTS += %D%/oracle.t %D%/retail.py %D%/replay.py %D%/compare.py \
    %D%/byproduct.py %D%/made.py
EXTRA_DIST += %D%/README.md %D%/shelf.py %D%/sample.csv %D%/sample.events \
    %D%/sample.outcome %D%/sample.bare %D%/retail.bare %D%/retail.facts \
    %D%/retail.total %D%/retail.cksum \
    %D%/made.cksum
