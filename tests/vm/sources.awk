# SPDX-License-Identifier: GPL-3.0-or-later
# Reads apt sources, one-line (*.list) and Deb822 (*.sources), and prints those of Debian itself as one-line ones:
# a source counts as Debian's when it is signed by Debian's keyring or names no key, its suite is the release's or
# its updates or security, and it has the component main.

function suite_is_debian(suite) { return suite ~ /^(bookworm|stable)(-updates|-security|\/updates)?$/ }

function flush_stanza(   uris, suites, n, m, i, j) {
    if (types ~ /(^| )deb( |$)/ && enabled !~ /no|false/ && (key == "" || key ~ /debian-archive/)) {
        n = split(uri, uris, " ")
        m = split(suite, suites, " ")
        for (i = 1; i <= n; i++)
            for (j = 1; j <= m; j++)
                if (suite_is_debian(suites[j]) && components ~ /(^| )main( |$)/)
                    print "deb" (key == "" ? "" : " [signed-by=" key "]"), uris[i], suites[j], components
    }
    types = uri = suite = components = key = enabled = ""
}

FNR == 1 { flush_stanza() }
/^[ \t]*#/ { next }

FILENAME ~ /\.list$/ {
    options = ""
    rest = $0
    if (rest !~ /^[ \t]*deb[ \t]/) next
    sub(/^[ \t]*deb[ \t]+/, "", rest)
    if (rest ~ /^\[/) {
        options = substr(rest, 1, index(rest, "]"))
        rest = substr(rest, index(rest, "]") + 1)
    }
    split(rest, part, " ")
    if (part[1] !~ /^cdrom:/ && suite_is_debian(part[2]) && rest ~ / main( |$)/ && (options !~ /signed-by/ || options ~ /debian-archive/))
        print "deb" (options == "" ? "" : " " options), rest
    next
}

/^[ \t]*$/ { flush_stanza(); next }
/^Types:/ { types = substr($0, 7) }
/^URIs:/ { uri = substr($0, 6) }
/^Suites:/ { suite = substr($0, 8) }
/^Components:/ { components = substr($0, 12) }
/^Enabled:/ { enabled = $2 }
/^Signed-By:/ { key = $2 }
END { flush_stanza() }
