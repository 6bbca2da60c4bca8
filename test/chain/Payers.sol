// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

/// Accounts with code, as payers of USDC: it asks them whether a signature is theirs (ERC-1271).
contract OwnedWallet {
  address immutable owner;

  constructor(address owner_) {
    owner = owner_;
  }

  /// The owner's 65 bytes, and any bytes behind them: what a signature looks like is a wallet's own affair. As the code of
  /// an ordinary account (EIP-7702) the account itself is the owner.
  function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
    bytes32 r = bytes32(signature[0:32]);
    bytes32 s = bytes32(signature[32:64]);
    address signer = ecrecover(hash, uint8(signature[64]), r, s);
    return signer == owner || signer == address(this) ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
  }
}

/// Takes every signature, and burns the gas of whoever asks.
contract BurningWallet {
  function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
    uint256 end = gasleft() - 1000000;
    while (gasleft() > end) {}
    return 0x1626ba7e;
  }
}
