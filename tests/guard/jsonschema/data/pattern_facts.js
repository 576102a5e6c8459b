// Print what JavaScript says of patterns: node pattern_facts.js > pattern_facts.json
//
// Each fact is a pattern, the flag that it is valid with ("u", or "" if only without), or null if it
// is valid with none; and the texts that it matches.
const patterns = [
  // classes
  "^\\d$", "^\\D$", "^\\w$", "^\\W$", "^\\s$", "^\\S$", "^.$", "^[^]$", "[]", "^[.]$", "^[$^|]$",
  "^[\\d]$", "^[^\\d]$", "^[\\D]$", "^[\\W\\d]$", "^[^\\W]$", "^[\\s\\S]$", "^[a-c]$", "^[-a]$", "^[a-]$", "^[^-a]$",
  "^[[]$", "^[a&&b]$", "^[a~~b]$", "^[a--b]$", "^[\\b]$", "^[\\]]$", "^[\\-a]$", "^[#\\x20]$", "^[+--]$",
  // without the flag u
  "^[\\w-\\.]+$", "^[\\w- ]+$", "^[\\w-]+$", "^[\\d-x]+$", "^[a-\\d]+$", "^[\\w-\\/]+$", "^[\\s-_]+$", "^[%-\\w]$",
  "^\\-$", "^\\_$", "^\\@$", "^\\:$", "^\\'$", "^\\\"$", "^\\ $", "^\\=$", "^\\%$", "^\\!$", "^\\#$", "^\\,$", "^\\;$", "^\\~$",
  "^[\\_\\@]$", "^\\é$", "^]$", "^}$", "^{$", "^a{$", "^a{,3}$", "^a{1-3}$", "^{a}$", "^[\\.\\:]$", "^[\\000-\\037]$",
  // escapes
  "^\\/$", "^\\.$", "^\\cA$", "^\\ca$", "^[\\cJ]$", "^\\t$", "^\\v$", "^\\f$", "^\\0$", "^\\x41$", "^\\u0041$",
  "^\\u00e9$", "^\\u{41}$", "^\\u{1F600}$", "^\\uD83D\\uDE00$", "^[\\uD83D\\uDE00]$", "^\\\\$", "^\\$$", "^\\|$", "^\\^$",
  "^[\\u0020-\\uD7FF\\uE000-\\uFFFD\\uD800\\uDBFF-\\uDC00\\uDFFF]$", "^[\\uD800-\\uDFFF]$", "^[^\\uD800-\\uDFFF]$",
  "^\\p{L}$", "^\\P{L}$", "^[\\p{L}\\p{N}]$", "^[^\\p{L}]$", "^\\p{Lu}$", "^\\p{Script=Greek}$", "^\\p{sc=Han}$", "^\\p{Alphabetic}$",
  "^\\p{General_Category=Letter}$", "^\\p{ASCII}$", "^\\p{Any}$", "^\\p{Alpha}$",
  // anchors and boundaries
  "a$", "^a$", "$a", "a^", "^$", "a$b", "^a$|b", "\\ba", "a\\b", "\\bé", "é\\b", "\\Ba", "a\\B", "^\\B$", "^\\b$",
  // groups and quantifiers
  "^(?:a|b)c$", "^(a|b)c$", "^(?<x>a)c$", "^(?<é>a)$", "^a{2}$", "^a{1,2}$", "^a{2,}$", "^a+?$", "^a??$", "^(a*)*$", "^(a|)b$", "^()$", "^|a$",
  "^a{0}$", "^(?:)$", "a|", "^[a-z]{1,3}?$", "^.{2}$", "^😀$", "^😀{2}$", "^[😀é]$",
  // lookaround and references
  "^(?=a)\\w$", "^(?!a)\\w$", "(?<=a)b", "(?<!a)b", "^(.)\\1$", "^(?<x>.)\\k<x>$", "^(?=.)\\d$", "^(?!x).$", "^(?=\\s).$", "^(?!é)\\W$", "^(?=a)a\\b",
  "^(?!a)[\\w-\\.]+$", "^(?:(?=a)a)+$", "(?=\\ba)", "(?!)",
  // malformed with and without the flag
  "(", ")", "[", "a**", "a++", "a{2}{3}", "*a", "+", "?", "(?", "(?x)a", "(?i:a)", "(?>a)", "(?P=x)", "[b-a]", "a{2,1}", "^*",
  "(?<x>a)(?<x>b)", "\\", "(?<1>a)", "(?#c)", "(?:", "{2}", "(?<=a)+b",
];
const texts = [
  "", "a", "b", "c", "A", "Z", "z", "_", "-", ".", "/", " ", "$", "^", "|", "[", "]", "{", "}", "\\", "@", ":", "'", "\"", "=", "%", "!",
  "#", ",", ";", "~", "&", "+", "0", "5", "\n", "\r", "\t", "\v", "\f", "\0", "\b", "\u0001", "\u001f", "\u0085", "\u00a0", "\u1680", "\u180e", "\u2003", "\u2028", "\u2029",
  "\u200b", "\u3000", "\ufeff", "é", "ß", "\u0663", "α", "Ω", "漢", "😀", "😀😀", "\ud7ff", "\ufffd", "aa", "aaa", "ab", "ba", "ac", "bc", "bb", "cb", "a\n", "\na", "a\nb",
  "éa", "aé", "a-b", "a.b", "a b", "1-x", "a-1", "a/b", " _", "a{", "a{,3}", "a{1-3}", "{a}", "abc", "xyz", "a1",
];
function compiled(pattern) {
  for (const flag of ["u", ""]) {
    try {
      return [flag, new RegExp(pattern, flag)];
    } catch {
      continue;
    }
  }
  return [null, null];
}
const facts = patterns.map((pattern) => {
  const [flag, expression] = compiled(pattern);
  // Without the flag, a character is a unit of UTF-16, which no other reader has.
  const known = flag === "u" ? texts : texts.filter((text) => !/[\u{10000}-\u{10ffff}]/u.test(text));
  return { pattern, flag, matches: expression && known.filter((text) => expression.test(text)) };
});
const lines = facts.map((fact) => "  " + JSON.stringify(fact));
console.log(`{\n"texts": ${JSON.stringify(texts)},\n"facts": [\n${lines.join(",\n")}\n]}`);
