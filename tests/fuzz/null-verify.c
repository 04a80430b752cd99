/* SPDX-License-Identifier: GPL-3.0-or-later */
/* In place of ike/private-key.c for the fuzzer: most signatures are right, and costs nothing. The
 * ordinary test of the same corpus verifies. */
#include "ike/private-key.h"

int crypto_verify(const uint8_t *spki, size_t spki_size, SignatureForm form, HashAlgorithm hash,
                  const struct iovec *parts, size_t n, const uint8_t *signature, size_t signature_size) {
    return signature_size > 0 && (signature[signature_size - 1] & 15) == 15 ? IKE_NOTIFY_AUTHENTICATION_FAILED
                                                                            : 0;
}
