# broker/net: see README.md
