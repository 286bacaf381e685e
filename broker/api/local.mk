# broker/api: see README.md
