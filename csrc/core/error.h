// Exceptions, one class for each Python exception they become (bindings/errors.cpp).
#pragma once
#include <stdexcept>
#include <string>
#include <vector>

namespace hl {

struct ValueError : std::invalid_argument { using std::invalid_argument::invalid_argument; };
struct TypeError : std::runtime_error { using std::runtime_error::runtime_error; };
struct DeviceError : std::runtime_error { using std::runtime_error::runtime_error; };
struct MemoryError : std::runtime_error { using std::runtime_error::runtime_error; };

// " Did you mean 'relu'?" or "", by edit distance.
std::string suggestion(const std::string& unknown, const std::vector<std::string>& known);

}  // namespace hl
