"""Pure parsing of what HTTP defines: headers, media types, encodings, forms, paths, HTML. No I/O."""
