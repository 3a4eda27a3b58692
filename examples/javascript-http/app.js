// Greets on `GET /`, answers JSON with JSON on `POST /json`, and asks another server on `GET /fetch?url=…`. What
// `console.log` writes is in the handler's log.

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const url = new URL(request.url);
  console.log(`${request.method} ${url.pathname}`);
  switch (`${request.method} ${url.pathname}`) {
    case "GET /":
      return text(200, "Hello from JavaScript!");
    case "POST /json":
      return greet(request);
    case "GET /fetch":
      return ask(url.searchParams.get("url"));
    default:
      return text(404, `nothing at ${url.pathname}`);
  }
}

async function greet(request) {
  try {
    const { name } = await request.json();
    return new Response(JSON.stringify({ greeting: `Hello ${name}, from JavaScript!` }), {
      headers: { "content-type": "application/json" },
    });
  } catch (error) {
    return text(400, String(error));
  }
}

// `wasi:http` decides which servers can be asked: those that the handler's policy lets it reach.
async function ask(url) {
  try {
    const response = await fetch(url);
    const bytes = (await response.arrayBuffer()).byteLength;
    return text(200, `${url} answered ${response.status} with ${bytes} bytes`);
  } catch (error) {
    return text(502, `${url}: ${error}`);
  }
}

function text(status, line) {
  return new Response(`${line}\n`, { status, headers: { "content-type": "text/plain" } });
}
