//! What bytes look like that are not the format that was asked for.

/// What was found, and what the user can do.
pub(crate) struct Looks {
    pub(crate) found: &'static str,
    pub(crate) mend: &'static str,
}

/// Recognises the usual mix-ups by the first bytes.
pub(crate) fn sniff(bytes: &[u8]) -> Option<Looks> {
    const START: usize = 512;
    let looks = |found, mend| Some(Looks { found, mend });
    let start = &bytes[..bytes.len().min(START)];
    let text = start.trim_ascii_start();
    let tag = |wanted: &[u8]| text.len() >= wanted.len() && text[..wanted.len()].eq_ignore_ascii_case(wanted);
    match () {
        () if bytes.is_empty() => looks("an empty file", "fetch the file again"),
        () if start.starts_with(b"version https://git-lfs") => looks("a git-LFS pointer", "fetch the file itself, say with `git lfs pull`"),
        () if tag(b"<!doctype") || tag(b"<html") || tag(b"<?xml") => {
            looks("an HTML or XML page", "the download gave an error page; fetch the file again")
        }
        () if start.starts_with(b"PK\x03\x04") => {
            looks("a ZIP archive, such as a PyTorch checkpoint (.pt, .pth)", "export or convert the model in the framework that wrote it")
        }
        () if start.starts_with(b"\x80\x02") || start.starts_with(b"\x80\x04") => {
            looks("a Python pickle, such as an old PyTorch checkpoint", "convert it in the framework that wrote it")
        }
        () if start.starts_with(b"\x89HDF\r\n\x1a\n") => looks("an HDF5 file, such as NIR or Keras", "name a file of the expected format"),
        () if start.starts_with(b"\x1f\x8b") => looks("a gzip archive", "unpack it first"),
        () if start.get(4..8) == Some(b"TFL3") => looks("a TensorFlow Lite model", "convert it first"),
        () if start.get(8..9) == Some(b"{") => looks("a safetensors file", "name a file of the expected format"),
        () if tag(b"{") || tag(b"[") => looks("JSON", "the download gave an error message, or the file is another one; fetch it again"),
        () => None,
    }
}
