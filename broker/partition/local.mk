# broker/partition: see README.md
