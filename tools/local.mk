# tools: the program
