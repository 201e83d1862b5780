# The usage of mailstead as a list in roff: "  mailstead WORDS" and the line that explains it.
/^  mailstead / {
	sub(/^  mailstead /, "")
	gsub(/-/, "\\-")
	gsub(/…/, "...")
	print ".TP\n.B " $0
	is_open = 1
	next
}
is_open {
	sub(/^ +/, "")
	gsub(/-/, "\\-")
	print toupper(substr($0, 1, 1)) substr($0, 2) "."
	is_open = 0
}
