/** RFC 3454, table C.1.2: each of these counts as the space of ASCII. */
const SPACES = /[\u{00a0}\u{1680}\u{2000}-\u{200b}\u{202f}\u{205f}\u{3000}]/gu

/** RFC 3454, table B.1: these count as nothing. */
const NOTHING = /\u{ad}|\u{34f}|\u{1806}|[\u{180b}-\u{180d}]|\u{200c}|\u{200d}|\u{2060}|[\u{fe00}-\u{fe0f}]|\u{feff}/gu

/** RFC 4013, section 2.3, as far as a password can have it: controls, private use, surrogates and what is no character. */
const PROHIBITED =
  /[\p{Cc}\p{Co}\p{Cs}\p{Cn}\u0340\u0341\u200e\u200f\u2028-\u202e\u206a-\u206f\u2ff0-\u2ffb\ufff9-\ufffd]/u

/**
 * A password as SCRAM takes it: `psql` and the server prepare it so (RFC 4013), and our driver does not. One with prohibited
 * characters is taken as it is, as PostgreSQL does (`pg_saslprep`).
 */
export const saslPrep = (password: string): string => {
  const prepared = password.replaceAll(SPACES, " ").replaceAll(NOTHING, "").normalize("NFKC")
  return PROHIBITED.test(prepared) ? password : prepared
}

/** The same for the password in a URL. */
export const saslPrepUrl = (text: string): string => {
  const url = URL.parse(text)
  if (url === null || !url.password.includes("%")) return text
  try {
    url.password = encodeURIComponent(saslPrep(decodeURIComponent(url.password)))
  } catch {
    // Not UTF-8: it stays as it is.
    return text
  }
  return url.href
}
