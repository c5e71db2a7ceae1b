// From stdin {"encodings": [...], "texts": [...]}; to stdout, for each encoding, how many tokens each text has.
const { getEncoding } = require("js-tiktoken");

const asked = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const counted = {};
for (const name of asked.encodings) {
  const encoding = getEncoding(name);
  // No special tokens, neither to use nor to refuse: all is plain text.
  counted[name] = asked.texts.map((text) => encoding.encode(text, [], []).length);
}
process.stdout.write(JSON.stringify(counted));
