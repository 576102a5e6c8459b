"""Pure parsing of HTTP: headers, media types, encodings, forms, paths and HTML. No I/O."""
