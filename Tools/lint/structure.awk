# The skeleton of a Markdown document, without its words: number and level of each heading, every line of every
# fenced code block, the column count of every table row, every picture. Each with its line number and a tab.

/^```/ { inCode = !inCode; print FNR "\tcode " $0; next }
inCode { print FNR "\tcode " $0; next }
/^#+ / { print FNR "\theading " length($1); next }
/^\|/ { print FNR "\ttable row of " gsub(/\|/, "|") - 1 " columns" }
/!\[[^]]*\]\([^)]*\)/ { print FNR "\tpicture" }
