// Recognizes secrets in text.

/** Matches AWS access keys, private keys, URLs with a password, and assignments to names like password. */
export const SECRET =
  /AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY|whsec_[A-Za-z0-9+/]{20}|wgl_[A-Za-z0-9_-]{20}|:\/\/[^/\s:@$]*:[^/\s@$<]{4,}@|(password|secret|token|api_key)=["']?[A-Za-z0-9+/_-]{8,}/i
