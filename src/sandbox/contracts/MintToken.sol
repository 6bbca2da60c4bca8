// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The token that the sandbox's mint server sells
/// @notice An ERC-20 whose supply grows by one fixed amount with every mint. Its minter is the mint server; buyers pay
/// in USDC, to the address of this contract.
contract MintToken {
    string public name;
    string public symbol;
    uint8 public constant decimals = 18;

    /// @notice The only account that may mint.
    address public immutable minter;
    /// @notice Base units that one mint gives to its recipient.
    uint256 public immutable mintAmount;
    /// @notice Mints that there will ever be.
    uint256 public immutable maxMintCount;
    /// @notice Mints so far.
    uint256 public mintCount;

    mapping(bytes32 id => bool) public minted;
    mapping(address account => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    /// @notice One mint. `id` is the minter's name for it, unique for ever.
    event TokensMinted(address indexed to, uint256 amount, bytes32 id);
    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    error NotMinter(address caller);
    error SoldOut(uint256 maxMintCount);
    error ZeroRecipient();
    error InsufficientBalance(address from, uint256 balance, uint256 needed);
    error InsufficientAllowance(address spender, uint256 allowance, uint256 needed);

    constructor(
        string memory tokenName,
        string memory tokenSymbol,
        address tokenMinter,
        uint256 amountPerMint,
        uint256 mintsAtMost
    ) {
        name = tokenName;
        symbol = tokenSymbol;
        minter = tokenMinter;
        mintAmount = amountPerMint;
        maxMintCount = mintsAtMost;
    }

    /// @notice Mints once for each id that was not minted before.
    /// @dev Ids that were are passed over in silence: asking again after a mint that failed half-way, or whose outcome
    /// is unknown, delivers what is missing and never anything twice. All of it happens, or nothing.
    function mint(address to, bytes32[] calldata ids) external {
        if (msg.sender != minter) revert NotMinter(msg.sender);
        for (uint256 i = 0; i < ids.length; i++) {
            if (!minted[ids[i]]) _mintOne(to, ids[i]);
        }
    }

    function hasMinted(bytes32 id) external view returns (bool) {
        return minted[id];
    }

    /// @notice Mints that are left.
    function remainingSupply() public view returns (uint256) {
        return maxMintCount - mintCount;
    }

    function totalSupply() external view returns (uint256) {
        return mintCount * mintAmount;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        _transfer(msg.sender, to, value);
        return true;
    }

    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        uint256 allowed = allowance[from][msg.sender];
        if (allowed < value) revert InsufficientAllowance(msg.sender, allowed, value);
        if (allowed != type(uint256).max) allowance[from][msg.sender] = allowed - value;
        _transfer(from, to, value);
        return true;
    }

    function _mintOne(address to, bytes32 id) private {
        if (to == address(0)) revert ZeroRecipient();
        if (mintCount == maxMintCount) revert SoldOut(maxMintCount);
        minted[id] = true;
        mintCount += 1;
        balanceOf[to] += mintAmount;
        emit Transfer(address(0), to, mintAmount);
        emit TokensMinted(to, mintAmount, id);
    }

    function _transfer(address from, address to, uint256 value) private {
        if (to == address(0)) revert ZeroRecipient();
        uint256 balance = balanceOf[from];
        if (balance < value) revert InsufficientBalance(from, balance, value);
        balanceOf[from] = balance - value;
        balanceOf[to] += value;
        emit Transfer(from, to, value);
    }
}
