# The usage of mailstead as a list in roff: "  mailstead WORDS", more words of it by 16 columns
# further in, and the lines that explain it by 8.
function shown(text) {
	sub(/^ +/, "", text)
	gsub(/-/, "\\-", text)
	gsub(/…/, "...", text)
	return text
}
function end_entry() {
	if (words == "")
		return
	print ".TP\n.B " words
	print toupper(substr(help, 1, 1)) substr(help, 2) "."
	words = help = ""
}
/^  mailstead / {
	end_entry()
	sub(/^  mailstead /, "")
	words = shown($0)
	next
}
words != "" && /^                / { words = words " " shown($0); next }
words != "" && /^        / { help = help (help == "" ? "" : " ") shown($0) }
END { end_entry() }
