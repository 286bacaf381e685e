# code.awk: C without comments, and with nothing inside of its quotes; with
# -v comments=1, its comments alone. Prints file:line:text for each line that
# has text left.

FNR == 1 { in_comment = 0 }

{
    out = said = ""
    line = $0
    while (line != "") {
        if (in_comment) {
            at = index(line, "*/")
            if (at == 0) {
                said = said line
                break
            }
            said = said substr(line, 1, at - 1)
            line = substr(line, at + 2)
            in_comment = 0
            continue
        }
        if (!match(line, /\/\*|\/\/|"|'/)) {
            out = out line
            break
        }
        out = out substr(line, 1, RSTART - 1)
        token = substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART + RLENGTH)
        if (token == "//") {
            said = said line
            break
        }
        if (token == "/*") {
            in_comment = 1
            out = out " "
            continue
        }
        # to the closing quote, over what a backslash escapes
        while (line != "" && substr(line, 1, 1) != token)
            line = substr(line, substr(line, 1, 1) == "\\" ? 3 : 2)
        line = substr(line, 2)
        out = out token token
    }
    if (comments)
        out = said
    if (out ~ /[^ \t]/)
        print FILENAME ":" FNR ":" out
}
