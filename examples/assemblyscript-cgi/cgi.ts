// Greets on `GET /`, and answers JSON with JSON on `POST /json`: a program that speaks CGI. The request is in variables
// and on standard input, the answer goes to standard output, and standard error is the handler's log.

function variable(name: string): string {
  return process.env.has(name) ? process.env.get(name) : "";
}

function body(): string {
  const all: u8[] = [];
  const chunk = new ArrayBuffer(4096);
  let size = process.stdin.read(chunk);
  while (size > 0) {
    const bytes = Uint8Array.wrap(chunk, 0, size);
    for (let at = 0; at < size; at++) all.push(bytes[at]);
    size = process.stdin.read(chunk);
  }
  return String.UTF8.decodeUnsafe(all.dataStart, all.length);
}

// The text of `"name": "…"`, escapes and all, so that it can be written into JSON as it is; null if there is none. This
// finds a name in JSON that is well-formed; it is no parser, and does not say what is wrong with the rest.
function name(json: string): string | null {
  const key = json.indexOf('"name"');
  if (key < 0) return null;
  const colon = json.indexOf(":", key);
  if (colon < 0) return null;
  const start = json.indexOf('"', colon) + 1;
  if (start == 0 || json.substring(colon + 1, start - 1).trim().length > 0) return null;
  for (let end = start; end < json.length; end++) {
    if (json.charAt(end) == "\\") end++;
    else if (json.charAt(end) == '"') return json.substring(start, end);
  }
  return null;
}

function answer(status: i32, type: string, text: string): void {
  process.stderr.write(`answered with ${status}\n`);
  process.stdout.write(`Status: ${status}\nContent-Type: ${type}\n\n${text}`);
}

const method = variable("REQUEST_METHOD");
const path = variable("PATH_INFO");
if (method == "GET" && (path == "/" || path == "")) {
  answer(200, "text/plain", "Hello from AssemblyScript!\n");
} else if (method == "POST" && path == "/json") {
  const who = name(body());
  if (who !== null) answer(200, "application/json", `{"greeting":"Hello ${who}, from AssemblyScript!"}`);
  else answer(400, "text/plain", "this is no JSON with a name in it\n");
} else {
  answer(404, "text/plain", `nothing at ${path}\n`);
}
