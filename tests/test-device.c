/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The device's factory data: what they say of user name and password, until a HeMS says something else, and
 * again after a reset. */
#include "device.h"
#include "state.h"
#include "suite.h"

#define USERNAME "Device.ManagementServer.Username"
#define PASSWORD "Device.ManagementServer.Password"

static Store *store;
static Device *device;

static void fill(void *userdata, void *ret, size_t size) {
    memset(ret, 7, size);
}

static void device_start(const char *username, const char *password) {
    static const Rng rng = {.fill = fill};
    static Config factory;

    factory = (Config){.manufacturer = "Example",
                       .oui = "0A1B2C",
                       .product_class = "HeNB",
                       .serial_number = "1",
                       .software_version = "1",
                       .tunnel_interface = "lo",
                       .serving = {.hems = "http://10.0.0.1/", .segw = "segw.example"}};
    strcpy(factory.username, username);
    ck_assert_int_eq(device_new(&device, &(DeviceConfig){.factory = &factory,
                                                         .password = password,
                                                         .store = store,
                                                         .state_directory = "/",
                                                         .rng = &rng}),
                     0);
}

static void assert_login(const char *username, const char *password) {
    ck_assert_str_eq(model_get(device_model(device), USERNAME), username);
    ck_assert_str_eq(model_get(device_model(device), PASSWORD), password);
}

START_TEST(login_until_a_hems_sets_another) {
    char longest[257] = "";

    state_start();
    store = state_open();
    memset(longest, 'p', 256);
    device_start("", NULL);
    assert_login("", "");
    device_free(device);
    device_start("box 1", longest);
    assert_login("box 1", longest);
    const StoreChange set[] = {{STORE_PARAMETER, USERNAME, "other"}, {STORE_PARAMETER, PASSWORD, "theirs"}};
    ck_assert_int_eq(store_commit(store, set, 2), 0);
    device_free(device);
    device_start("box 1", "first");
    assert_login("other", "theirs");
    ck_assert_int_eq(store_reset(store, NULL, 0), 0);
    ck_assert_int_eq(device_reset(device), 0);
    assert_login("box 1", "first");
    device_free(device);
    store_close(store);
}
END_TEST

SUITE("device", login_until_a_hems_sets_another)
