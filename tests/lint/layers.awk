# layers.awk: reads `layers`, then C files, and prints each include that the
# first does not allow. -v want=includes, private, libraries or rooms.

function room_of(path,    best, r) {
    for (r in may)
        if (index(path "/", r "/") == 1 && length(r) > length(best))
            best = r
    return best
}

# Where the compiler finds it: beside the file, then by -I, as in Makefile.am.
function target_of(file, name,    dir, i, r) {
    dir = file
    sub(/\/[^\/]*$/, "", dir)
    if (name !~ /\//)
        return name == "config.h" ? "" : dir "/" name
    for (i = 1; i <= 4; i++) {
        r = room_of(root[i] name)
        if (r != "")
            return root[i] name
    }
    return "?"
}

function say(text) {
    print FILENAME ":" FNR ": " text
}

BEGIN {
    root[1] = "broker/"; root[2] = "streams/"
    root[3] = ""; root[4] = "tools/"     # tools is one room: it takes the rest
}

FILENAME ~ /\/layers$/ {
    sub(/#.*/, "")
    if (NF == 0)
        next
    name = $1
    if (name !~ /:$/) {
        if (want == "rooms")
            say("no colon after " name)
        next
    }
    sub(/:$/, "", name)
    if (name ~ /^</) {
        sub(/>$/, "", name)
        for (i = 2; i <= NF; i++)
            library[name] = library[name] " " $i
        next
    }
    may[name] = " " name
    for (i = 2; i <= NF; i++)
        may[name] = may[name] " " $i
    may[name] = may[name] " "
    next
}

FNR == 1 {
    room = room_of(FILENAME)
    if (room == "" && want == "rooms")
        say("its folder is no room of tests/lint/layers")
}

/^[ \t]*#[ \t]*include[ \t]*[<"]/ {
    line = $0
    sub(/^[^<"]*/, "", line)
    quote = substr(line, 1, 1)
    name = substr(line, 2)
    sub(/[">].*/, "", name)
    if (want == "libraries") {
        for (l in library)
            if (index("<" name, l) == 1) {
                allowed = 0
                n = split(library[l], rooms, " ")
                for (i = 1; i <= n; i++)
                    if (rooms[i] == room)
                        allowed = 1
                if (!allowed)
                    say(room " includes <" name ">")
            }
        next
    }
    # <penstock/...> is a room of ours whatever the quotes
    if (quote == "<" && name !~ /^penstock\//)
        next
    target = target_of(FILENAME, name)
    if (target == "")
        next
    other = room_of(target)
    if (want == "private") {
        if (name ~ /_priv\.h$/ && other != room)
            say(room " includes " name ", which is private to " other)
    } else if (want == "includes") {
        if (target == "?" || other == "")
            say(name " is in no room")
        else if (index(may[room], " " other " ") == 0 \
                 && index(may[room], " * ") == 0)
            say(room " may not include " name)
    }
}
