/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Milenage, 3GPP's example set of the authentication functions f1 to f5, f1* and f5* (TS 35.205, TS 35.206),
 * over AES-128. All functions return 0 or -EIO (the library failed). */
#pragma once

#include "base/macro.h"

#define MILENAGE_KEY_BYTES 16
#define AKA_RAND_BYTES     16
#define AKA_AUTN_BYTES     16 /* SQN xor AK, AMF, MAC-A: TS 33.102 6.3.2 */
#define AKA_AUTS_BYTES     14 /* SQN xor AK, MAC-S: TS 33.102 6.3.3 */
#define AKA_SQN_BYTES      6
#define AKA_AMF_BYTES      2
#define AKA_MAC_BYTES      8
#define AKA_KEY_BYTES      16 /* CK, IK */
#define MILENAGE_RES_BYTES 8

typedef struct Milenage {
    uint8_t k[MILENAGE_KEY_BYTES];
    uint8_t opc[MILENAGE_KEY_BYTES];
} Milenage;

typedef struct MilenageAnswer {
    uint8_t res[MILENAGE_RES_BYTES];  /* f2 */
    uint8_t ck[AKA_KEY_BYTES];        /* f3 */
    uint8_t ik[AKA_KEY_BYTES];        /* f4 */
    uint8_t ak[AKA_SQN_BYTES];        /* f5 */
    uint8_t ak_resync[AKA_SQN_BYTES]; /* f5* */
} MilenageAnswer;

/* OPc of the operator's OP and a subscriber's K. */
int milenage_opc(const uint8_t k[static MILENAGE_KEY_BYTES], const uint8_t op[static MILENAGE_KEY_BYTES],
                 uint8_t ret[static MILENAGE_KEY_BYTES]);
/* MAC-A of f1, MAC-S of f1*. */
int milenage_f1(const Milenage *milenage, const uint8_t rand[static AKA_RAND_BYTES],
                const uint8_t sqn[static AKA_SQN_BYTES], const uint8_t amf[static AKA_AMF_BYTES],
                uint8_t ret_mac_a[static AKA_MAC_BYTES], uint8_t ret_mac_s[static AKA_MAC_BYTES]);
int milenage_f2345(const Milenage *milenage, const uint8_t rand[static AKA_RAND_BYTES], MilenageAnswer *ret);
