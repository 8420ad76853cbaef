// Runs a test program for wasm32-wasip1: node wasi.mjs PROGRAM [ARGUMENT..]
// cargo sets CARGO_MANIFEST_DIR, below which the tests find their vectors.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { WASI } from "node:wasi";

const [program, ...args] = process.argv.slice(2);
const vectors = fileURLToPath(new URL("../vectors", import.meta.url));
const wasi = new WASI({
  version: "preview1",
  args: [program, ...args],
  env: {},
  preopens: { [`${process.env.CARGO_MANIFEST_DIR}/tests/vectors`]: vectors },
});
const module = await WebAssembly.compile(await readFile(program));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
process.exitCode = wasi.start(instance);
