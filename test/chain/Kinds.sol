// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

// Tokens that log their mints in the ways that are in use, and nothing else: no balances, no rights.

/// ERC-721, and ERC-721A where several pieces are logged one by one.
contract Numbered {
    event Transfer(address indexed from, address indexed to, uint256 indexed tokenId);

    uint256 public remainingSupply = 100;
    uint256 private next;

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == 0x80ac58cd || id == 0x01ffc9a7;
    }

    function mint(address to, uint256 count) external {
        for (uint256 i = 0; i < count; i++) emit Transfer(address(0), to, next++);
        remainingSupply -= count;
    }
}

/// ERC-2309: a range of numbers in one event.
contract Consecutive {
    event ConsecutiveTransfer(
        uint256 indexed fromTokenId,
        uint256 toTokenId,
        address indexed fromAddress,
        address indexed toAddress
    );

    uint256 private next;

    function mint(address to, uint256 count) external {
        emit ConsecutiveTransfer(next, next + count - 1, address(0), to);
        next += count;
    }
}

/// ERC-1155: one piece by itself, several in a batch.
contract Multi {
    event TransferSingle(address indexed operator, address indexed from, address indexed to, uint256 id, uint256 value);
    event TransferBatch(
        address indexed operator,
        address indexed from,
        address indexed to,
        uint256[] ids,
        uint256[] values
    );

    function mint(address to, uint256 count) external {
        emit TransferSingle(msg.sender, address(0), to, 7, count);
    }

    function mintBatch(address to, uint256[] calldata values) external {
        emit TransferBatch(msg.sender, address(0), to, values, values);
    }
}

/// A drop: whatever is bought at once comes in one transfer. Bears interest too, which is minted as dust.
contract Drop {
    event Transfer(address indexed from, address indexed to, uint256 value);

    uint256 public constant mintAmount = 1 ether;
    uint256 public remainingSupply = 50 ether + 1;

    function mint(address to, uint256 count) external {
        emit Transfer(address(0), to, count * mintAmount);
        remainingSupply -= count * mintAmount;
    }

    function accrue(address to) external {
        emit Transfer(address(0), to, mintAmount / 1000);
    }
}

/// v1.1's family: an event of its own beside each transfer, and what remains in base units.
contract Family {
    event TokensMinted(address indexed to, uint256 amount, bytes32 id);
    event Transfer(address indexed from, address indexed to, uint256 value);

    uint256 public constant MINT_AMOUNT = 1000 ether;
    uint256 public constant maxMintCount = 10;
    uint256 public mintCount;

    function remainingSupply() external view returns (uint256) {
        return (maxMintCount - mintCount) * MINT_AMOUNT;
    }

    function mint(address to, uint256 count) external {
        for (uint256 i = 0; i < count; i++) {
            emit Transfer(address(0), to, MINT_AMOUNT);
            emit TokensMinted(to, MINT_AMOUNT, bytes32(mintCount++));
        }
    }

    /// Without the event of its own.
    function airdrop(address to) external {
        emit Transfer(address(0), to, MINT_AMOUNT);
    }
}

/// What was minted to the seller before is passed on.
contract Stock {
    event Transfer(address indexed from, address indexed to, uint256 value);

    function mint(address to, uint256 count) external {
        emit Transfer(msg.sender, to, count * 1 ether);
    }
}
