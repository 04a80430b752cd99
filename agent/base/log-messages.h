/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lines that a person searches the journal for, and what each of them tells besides its text. In
 * units/henb-agent.catalog is what they mean and what is to be done; tests/test_journal.py holds this table
 * against the catalog, the calls of log_message() and the man page. An id is for ever: a line that comes to
 * mean something else gets another one. */
#pragma once

/* The name, the MESSAGE_ID, the fields of each line of it. A field that there is nothing to say of is left
 * out. */
#define LOG_MESSAGES(X)                                                                                      \
    X(STARTED, "1ca12bcff0e4490aae95d390ab5a3599", "VERSION IDENTITY")                                       \
    X(STEP, "1a83580c31f0447da702e4f01dc9c19f", "STEP CLAUSE STATE")                                         \
    X(REGISTERED, "a42579458f2b461c947e95d04cfc0c6c", "STEP CLAUSE STATE PEER MME")                          \
    X(WITHOUT_MME, "decd9291c69f4ebcb35dada40bc1551a", "STEP CLAUSE STATE PEER")                             \
    X(REGISTRATION_LOST, "ade8a9e748e64f1c8259b90bc046b77c", "STEP CLAUSE PEER MME")                         \
    X(STEP_FAILED, "29fe8606b02c4e3f8edf84f148943d9c", "STEP CLAUSE PEER ERROR")                             \
    X(RETRY, "7f372c40cdc04e15b51f8d3ec1baa217", "STEP STATE ERROR RETRY_SEC")                               \
    X(OTHER_HEMS, "01f0cefe8e5644a28014d4e02326b298", "PEER")                                                \
    X(TUNNEL_UP, "88e50e2290bb49a2bb58da3d6ffa1b11",                                                         \
      "PEER SPI SPI_OUT IKE_SPI IKE_ALGORITHMS ESP_ALGORITHMS")                                              \
    X(TUNNEL_REKEYED, "00e7ef511d924b15b99cc1eb26fa5fff", "PEER SPI SPI_OUT")                                \
    X(TUNNEL_RENEWAL, "2410aefc32534077950d1ec570bf0509", "PEER REASON")                                     \
    X(TUNNEL_LOST, "fd09b2e16f8c4c2cac2a30da922fb45b", "STEP CLAUSE PEER ERROR")                             \
    X(SUCCESSOR_FAILED, "a2705323b2f44668b9debbb9b69998b6", "PEER ERROR")                                    \
    X(SEGW_REFUSED, "51a808f2e53d41bdb648a7753081eb3d", "STEP CLAUSE PEER ERROR")                            \
    X(SEGW_UNTRUSTED, "dd7554f820d24da0ad0d2f738fe42a66", "STEP CLAUSE PEER ERROR")                          \
    X(CLOCK_DOUBTED, "ad056798f1204475bd83f0e84b5bdd3d", "PEER")                                             \
    X(SESSION_ENDED, "9417d09c580b47fba7869a9f35dcd136", "PEER")                                             \
    X(SESSION_FAILED, "a45f6aaace6347d0a4eca232ae9c45db", "STEP CLAUSE PEER ERROR CWMP_FAULT")               \
    X(HEMS_FAULT, "9fffbaa3c31444a7aef3d88de7f27065", "PEER CWMP_FAULT ERROR")                               \
    X(REQUEST_REFUSED, "28ee740dfad84d86b898cac3c6466c4c", "PEER CWMP_METHOD CWMP_FAULT ERROR")              \
    X(DEREGISTERED, "652adee0a1544b55b985cde2afa4a51d", "CLAUSE OPERATOR")                                   \
    X(DEREGISTRATION_CLEARED, "dc3aba5c1f334a919a670375ab45ac8d", "CLAUSE OPERATOR")                         \
    X(TRANSFER_DONE, "144da44d78814dc699f84e263959129e", "TRANSFER FILE_TYPE")                               \
    X(TRANSFER_FAILED, "89df0784366f46728968b90c6d53d877", "TRANSFER FILE_TYPE CWMP_FAULT ERROR")            \
    X(ALARM_RAISED, "3d2835bc705740318a570e190f3d85be", "ALARM SEVERITY ERROR")                              \
    X(ALARM_CLEARED, "8feed14fd79b4b528b7f563f2f8fc662", "ALARM ERROR")                                      \
    X(STORE_DAMAGED, "08bbe5ed60fe45ef8f86f8a860a73f12", "ERROR")                                            \
    X(STORE_FAILED, "5755b3f9e54e440490668a8f1b14a534", "ERROR")                                             \
    X(STORE_WORKS, "9c0c2e74269e4eda866ec9b351e70950", "")                                                   \
    X(RELOADED, "1c4efe430d074d91ad617d7083ed33ad", "")                                                      \
    X(RELOAD_REFUSED, "335dc2d5653448ce965926491d19acff", "ERROR")

#define X(name, id, fields) MESSAGE_##name,
typedef enum LogMessage { MESSAGE_NONE, LOG_MESSAGES(X) MESSAGES_ } LogMessage;
#undef X

#define LOG_FIELDS(X)                                                                                        \
    X(version, "VERSION")                                                                                    \
    X(identity, "IDENTITY")                                                                                  \
    X(step, "STEP")                                                                                          \
    X(clause, "CLAUSE")                                                                                      \
    X(state, "STATE")                                                                                        \
    X(peer, "PEER")                                                                                          \
    X(mme, "MME")                                                                                            \
    X(error, "ERROR")                                                                                        \
    X(retry_sec, "RETRY_SEC")                                                                                \
    X(spi, "SPI")                                                                                            \
    X(spi_out, "SPI_OUT")                                                                                    \
    X(ike_spi, "IKE_SPI")                                                                                    \
    X(ike_algorithms, "IKE_ALGORITHMS")                                                                      \
    X(esp_algorithms, "ESP_ALGORITHMS")                                                                      \
    X(reason, "REASON")                                                                                      \
    X(cwmp_fault, "CWMP_FAULT")                                                                              \
    X(cwmp_method, "CWMP_METHOD")                                                                            \
    X(operator, "OPERATOR")                                                                                  \
    X(transfer, "TRANSFER")                                                                                  \
    X(file_type, "FILE_TYPE")                                                                                \
    X(alarm, "ALARM")                                                                                        \
    X(severity, "SEVERITY")

/* Values of them; NULL and "": nothing to say. Never a secret. */
#define X(member, name) const char *member;
typedef struct LogFields {
    LOG_FIELDS(X)
} LogFields;
#undef X
