#!/usr/bin/env python3
"""Starts llama.cpp's own server (llama-server, as packaged by `pip install xllamacpp`) on loopback for comparisons.

    pip install xllamacpp
    python3 benches/serve_xllamacpp.py MODEL.gguf [--port 8080] [--slots 10] [--context 32768] [--threads 2]

Parallel slots, continuous batching, prompt cache and a unified key-value cache are on, as a user would run it.
"""

import argparse
import time

import xllamacpp


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--slots", type=int, default=10)
    parser.add_argument("--context", type=int, default=32768)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.hostnames, params.port = ["127.0.0.1"], options.port
    params.n_parallel, params.n_ctx = options.slots, options.context
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options.threads
    params.cont_batching = params.cache_prompt = params.kv_unified = True
    params.warmup = False
    server = xllamacpp.Server(params)
    print(f"llama-server at {server.listening_address}; {xllamacpp.get_system_info()}", flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
