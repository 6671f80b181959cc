# One pass over the text files; see sources.sh.

BEGIN { maximumLines = 500 }

FNR == 1 {
    endFile()
    file = FILENAME
    isCode = FILENAME !~ /\.md$/
    isSwift = FILENAME ~ /\.swift$/
    isLibrary = FILENAME ~ /^Sources\/(Facet|C)[A-Za-z]*\//
    hasLimit = FILENAME ~ /\.(swift|c|h|cpp)$/
}
{ lines = FNR }
FNR <= 5 && /[Gg]enerated by/ { hasLimit = 0 }

isCode && /(^|[^A-Za-z])(TODO|FIXME)([^A-Za-z]|$)/ && !/#[0-9]/ { fault("a note to self without an issue number (#N)") }

/(^|[^A-Za-z0-9_.~$}-])\/(home|root|Users|work|workspace|mnt|srv|scratch)\/[A-Za-z]/ && FILENAME != "Tools/bare-machine.sh" {
    fault("an absolute path of one machine")
}

isSwift && FILENAME ~ /^Sources\// && /(^|[^A-Za-z0-9_."])fatalError\(/ && !/^[ \t]*\/\// {
    fault("fatalError: throw for bad input; a broken invariant is a precondition with a message")
}

isSwift && isLibrary && /(^|[^A-Za-z0-9_.`"])print\(/ && !/^[ \t]*\/\// {
    fault("a library prints: return the text, or log it")
}

END { endFile(); exit status }

function endFile() {
    if (file != "" && hasLimit && lines > maximumLines) {
        printf "%s:%d: longer than %d lines: look for the second noun inside it\n", file, lines, maximumLines
        status = 1
    }
}

function fault(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    status = 1
}
